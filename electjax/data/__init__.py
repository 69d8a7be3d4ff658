"""Any file to a checked Dataset and back."""
