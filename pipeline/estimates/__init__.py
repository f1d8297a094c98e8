"""What a sample took becomes what the whole will take, with how sure that is."""
