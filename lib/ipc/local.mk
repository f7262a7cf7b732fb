# Filled with the folder.
