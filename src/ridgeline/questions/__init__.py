"""What people ask, a package a subject. They ask `steps`; money they bind to laws themselves."""
