//! A bar for what takes long, on stderr, and only where somebody watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Terminal;

/// A bar that moves with the bytes read. Gone when it is dropped.
pub(in crate::cli) struct Progress(ProgressBar);

impl Terminal {
    /// A bar over so many bytes, or one that only turns where that is not known.
    pub(in crate::cli) fn progress_bar(&self, bytes: Option<u64>) -> Progress {
        let target = match self.quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(5), // hidden by itself where stderr is no terminal
        };
        let bar = ProgressBar::with_draw_target(bytes, target);
        let shape = match bytes {
            Some(_) => "[{bar:30}]  {msg}   {eta} left",
            None => "{spinner}  {msg}",
        };
        let style = ProgressStyle::with_template(shape).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress(bar)
    }
}

impl Progress {
    /// So many bytes are done; and what to say of it.
    pub(in crate::cli) fn at(&self, bytes: u64, text: String) {
        self.0.set_position(bytes);
        self.0.set_message(text);
    }

    /// Since it began.
    pub(in crate::cli) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
