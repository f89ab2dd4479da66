"""From estimators to one checked ONNX graph and a model folder."""
