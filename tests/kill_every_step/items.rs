//! Items that show whether they are whole.

/// More than one instruction can copy.
pub type Item = [u64; 5];

/// The item of that number.
pub fn item(number: u64) -> Item {
    [number, !number, number, !number, number]
}

/// The number of an item, which must be whole.
pub fn number(item: Item) -> u64 {
    let [number, ..] = item;
    assert_eq!(item, self::item(number), "an item is torn");
    number
}
