//! What tests do by chance.

use fastrand::Rng;

/// Chance that can be repeated: it is the same again where `SEED` is what the test printed.
pub(crate) fn chance() -> Rng {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    Rng::with_seed(seed)
}
