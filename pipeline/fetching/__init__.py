"""Archives of stores become local files, so many at a time as the stores may be asked for, over all machines."""
