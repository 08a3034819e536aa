//! Draws from the seed: the same seed and place give the same values, whatever other threads do.

#[derive(Clone)]
pub struct Draw(u64);

impl Draw {
    /// Begins the draws of one place, such as an attempt of a call.
    pub fn of(seed: u64, place: [u64; 3]) -> Self {
        let mut draw = Self(seed);
        for part in place {
            draw.0 ^= part.wrapping_mul(0xD6E8_FEB8_6659_FD93);
            draw.0 = draw.next();
        }
        draw
    }

    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Draws a number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % (limit.max(1) as u64)) as usize
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn one_of<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())].clone()
    }
}
