"""`comfyburst doctor`: looks at every part from outside, as its users meet it."""
