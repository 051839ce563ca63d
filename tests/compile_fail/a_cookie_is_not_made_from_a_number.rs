//! refused: E0423: cannot initialize a tuple struct which contains private fields

use holdout::rcu::cookie::Cookie;

pub fn forge() -> Cookie {
    Cookie(0)
}
