"""Pure functions on text: values in, values out, no Spark."""
