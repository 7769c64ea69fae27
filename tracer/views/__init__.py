"""Ways to look at a run. A view is a function of exchanges and events that yields what to print, and never prints."""
