"""What a fine-tuned model is asked, by task: examples become features, features answers."""
