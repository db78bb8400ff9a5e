"""`python -m leadlag` is the same as `leadlag`."""

import sys

from leadlag.cli import main

sys.exit(main())
