"""What people see of a training run: sums by language, metrics.jsonl, event files of TensorBoard, the terminal."""
