//! Version range -> behaviour. Each row names its page in `firmware-notes/`.
