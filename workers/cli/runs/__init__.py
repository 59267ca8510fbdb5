"""Commands that begin a run or act on one."""
