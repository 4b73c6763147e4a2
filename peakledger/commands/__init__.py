"""The subcommands, one subject a module. ``peakledger.cli`` puts them together."""
