//! refused: E0133: call to unsafe function `Graveyard::retire`

use holdout::rcu::graveyard::Graveyard;
use holdout::rcu::{Reclaim, Retired};
use std::ptr::NonNull;

pub fn retire<T: Reclaim>(graveyard: &mut Graveyard, object: &mut T) -> Retired<T> {
    graveyard.retire(NonNull::from(object))
}
