"""What the Docker Engine API means: operations, summaries, endpoints, the words of the explanations. Data first."""
