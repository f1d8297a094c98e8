"""One HTML page over what the finished stages and a training run left in their small files."""
