//! The client of a call of the model.

use std::sync::Arc;

use crate::call::Shared;

pub(crate) struct ClientState {
    pub(crate) shared: Arc<Shared>,
}
