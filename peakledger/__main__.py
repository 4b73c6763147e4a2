"""``python -m peakledger`` is the command ``peakledger``."""

from peakledger.cli import main

if __name__ == "__main__":
    main()
