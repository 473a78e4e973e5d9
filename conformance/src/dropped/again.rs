//! The dropped call made once more, as a caller does that was told nothing: whatever the first did, the second finishes.

use driver_api::Error;

use super::{Dropped, Place, Scene};
use crate::check::{Failure, Verdict, describe};
use crate::payload::{Content, explain};

/// What the call that is made again must leave.
struct Outcome {
    clause: &'static str,
    place: Place,
    content: Option<Content>,
}

impl Scene<'_> {
    /// Makes a change again, where that can be done, and looks at what it was to change.
    pub(super) async fn again(&self, dropped: Dropped) -> Verdict<Result<(), Failure>> {
        let outcomes = self.finished(dropped);
        let Some(Outcome { clause, .. }) = outcomes.first() else { return Ok(Ok(())) };
        if let Err(error) = self.call(dropped, &mut None).await
            && !(is_done_once(dropped) && error.is_not_found())
        {
            let expected = format!("the {dropped:?} to be made once more, or found done");
            return Ok(Err(Failure::new(clause, expected, describe(&error))));
        }
        for outcome in &outcomes {
            if let Err(failure) = self.examine_place(outcome).await? {
                return Ok(Err(failure));
            }
        }
        Ok(Ok(()))
    }

    /// What is there once the call was made. None for calls that change no file, or that need a writer.
    fn finished(&self, dropped: Dropped) -> Vec<Outcome> {
        let outcome = |clause, place, content| Outcome { clause, place, content };
        match dropped {
            Dropped::PutNew => vec![outcome("PUT-3", Place::New, Some(self.new))],
            Dropped::PutOver => vec![outcome("PUT-3", Place::Old, Some(self.new))],
            Dropped::Move => {
                vec![outcome("MOVE-1", Place::Moved, Some(self.old)), outcome("MOVE-1", Place::Old, None)]
            }
            Dropped::MoveOver => {
                vec![outcome("MOVE-1", Place::One, Some(self.old)), outcome("MOVE-1", Place::Old, None)]
            }
            Dropped::DeleteFile => vec![outcome("DEL-1", Place::Old, None)],
            Dropped::DeleteTree | Dropped::DeleteFiles => {
                vec![outcome("DEL-1", Place::One, None), outcome("DEL-1", Place::Two, None)]
            }
            _ => Vec::new(),
        }
    }

    async fn examine_place(&self, outcome: &Outcome) -> Result<Result<(), Failure>, Error> {
        let found = self.read(outcome.place).await?;
        let path = self.path(outcome.place);
        let told = match (&outcome.content, found) {
            (None, None) => return Ok(Ok(())),
            (Some(content), Some(bytes)) if content.is(&bytes) => return Ok(Ok(())),
            (Some(content), found) => {
                let found = found.map_or_else(|| "no file".to_owned(), |bytes| explain(&bytes, 0, &[*content]));
                (format!("{content} at {path} once the call was made again"), found)
            }
            (None, Some(bytes)) => {
                let found = explain(&bytes, 0, &[self.old, self.one, self.two]);
                (format!("no file at {path} once the call was made again"), found)
            }
        };
        Ok(Err(Failure::new(outcome.clause, told.0, told.1)))
    }
}

/// Whether a call that was done finds nothing to do the second time.
const fn is_done_once(dropped: Dropped) -> bool {
    matches!(dropped, Dropped::Move | Dropped::MoveOver | Dropped::DeleteFile | Dropped::DeleteTree)
}
