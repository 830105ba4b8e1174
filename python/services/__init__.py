"""Services: how a render host runs a task. One module and one class of the same name for each."""
