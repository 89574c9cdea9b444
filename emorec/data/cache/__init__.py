"""Cache of decoded clips: the store on disk, its build, and the decoder processes."""
