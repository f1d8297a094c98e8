"""What a parent's own texts say of its weights: Fisher diagonals and Gram matrices, as files of tensors."""
