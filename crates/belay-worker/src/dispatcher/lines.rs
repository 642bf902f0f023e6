//! Which lines there are, and which of them have work.

use belay_core::Result;
use belay_core::ops;

use super::Dispatcher;

impl Dispatcher {
    /// Learns lines that are new and served here.
    pub(super) fn read_lines(&mut self) -> Result<bool> {
        let lines = self.link.run(|s| s.run(ops::lines))?;
        let mut news = false;
        for line in lines {
            if self.sources.contains_key(&line) {
                continue;
            }
            if let Some(kind) = self.shared.serves(&line) {
                news = true;
                self.floors().learn(&line, kind.weight);
                let source = self.shared.source(&line, kind);
                self.sources.insert(line, source);
            }
        }
        if news {
            self.hurry();
        }
        Ok(news)
    }

    /// Asks the lines that are not looked at whether they have work.
    pub(super) fn wake_dormant(&mut self) -> Result<bool> {
        let dormant = self.floors().dormant();
        if dormant.is_empty() {
            return Ok(false);
        }
        let busy = self
            .link
            .run(|s| s.run(|conn| ops::lines_with_work(conn, &dormant)))?;
        if busy.is_empty() {
            return Ok(false);
        }
        self.floors().activate(&busy);
        self.hurry();
        Ok(true)
    }

    /// A notification came and the lines that are looked at have nothing: then it is in another line.
    pub(super) fn follow_hint(&mut self) -> Result<()> {
        let dormant = self.wake_dormant()?;
        let news = self.read_lines()?;
        if !dormant && !news {
            self.load.fruitless();
        }
        Ok(())
    }
}
