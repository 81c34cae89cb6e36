// Empty: the one source that makes tollgate_catch build the precompiled header.
