//! What an object remembers of its setters: every field that was set badly and not yet well.

use super::status::{LAMBDA_OK, lambda_status, number};
use crate::error::Error;

#[derive(Clone, Default)]
pub(super) struct SetterErrors(Vec<(&'static str, Error)>);

impl SetterErrors {
    /// Takes down how setting `field` went.
    pub(super) fn note(&mut self, field: &'static str, result: Result<(), Error>) -> lambda_status {
        self.0.retain(|(known, _)| *known != field);
        match result {
            Ok(()) => LAMBDA_OK,
            Err(error) => {
                let status = number(error.status());
                self.0.push((field, error));
                status
            }
        }
    }

    /// Why the object cannot be used; the first that is still open.
    pub(super) fn first(&self) -> Result<(), Error> {
        match self.0.first() {
            Some((_, error)) => Err(error.clone()),
            None => Ok(()),
        }
    }
}
