# recovery: what it owns and what it uses
