"""What socktrace costs: paired comparisons against no tracer and against strace."""
