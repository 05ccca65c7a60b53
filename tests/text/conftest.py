"""The same drawn examples in every run."""

import same_examples

assert same_examples
