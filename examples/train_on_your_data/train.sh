#!/bin/sh
# From event tables to a signed bundle, on a simulated shop. Usage: sh train.sh [FOLDER]
# With your own files, leave out the first step and name them in the second, third and fourth.
set -eu
here=$(dirname "$0")
out=${1:-shop}

# 0. Two CSV files. Nobody's behaviour is in them.
python "$here/simulate_shop.py" "$out"

# 1. Count. A fifth of the shoppers and everything from October on are kept out, for step 3.
shelfrank aggregate "$out/events.csv" "$out/catalog.csv" --policy "$here/policy.toml" \
  --min-shoppers 20 --holdout 0.2 --until 2025-10-01 --out "$out/aggregates"

# 2. Fit and export. This step sees the counts and no row about a shopper.
shelfrank train "$out/aggregates" "$out/catalog.csv" --policy "$here/policy.toml" \
  --out "$out/model"

# 3. Measure on the shoppers that were kept out.
shelfrank evaluate "$out/model" "$out/events.csv" --cutoff 2025-10-01 \
  --json "$out/figures.json" --report "$out/report.html"

# 4. Keys, once for a shop. root.key then goes into a safe, root.json into the app.
shelfrank bundle keygen --out "$out/keys"

# 5. Build, with the figures of step 3 for the model card, and sign.
shelfrank bundle build "$out/model" --name kitchen --version 1 \
  --root "$out/keys/root.json" --figures "$out/figures.json" --out "$out"
shelfrank bundle sign "$out/kitchen-1.shelfrank" --key-file "$out/keys/bundle.key"

# 6. Check as a device does.
shelfrank bundle verify "$out/kitchen-1.shelfrank" --trust "$out/keys/root.json"
