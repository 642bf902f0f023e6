//! What a guard is told once its program runs: a byte each, and the lease with its end.

/// What the guard is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Ask the tree to end (TERM).
    Term,
    /// Kill the tree.
    Kill,
    /// Hold the tree still.
    Stop,
    /// Let the tree go on.
    Cont,
    /// Kill the tree when the machine has been up for so many nanoseconds (`CLOCK_BOOTTIME`), unless another such
    /// order comes first: the daemon may be frozen then, and its lease over.
    Lease(u64),
}

impl Order {
    /// The order as it is sent.
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Term => vec![b'T'],
            Self::Kill => vec![b'K'],
            Self::Stop => vec![b'S'],
            Self::Cont => vec![b'C'],
            Self::Lease(nanos) => [b"L", nanos.to_le_bytes().as_slice()].concat(),
        }
    }

    /// Takes the orders that are whole out of what was received, and leaves the beginning of the next.
    pub(super) fn take_all(received: &mut Vec<u8>) -> Vec<Self> {
        let mut orders = Vec::new();
        let mut rest = received.as_slice();
        while let Some((first, after)) = rest.split_first() {
            let order = match first {
                b'T' => Some(Self::Term),
                b'K' => Some(Self::Kill),
                b'S' => Some(Self::Stop),
                b'C' => Some(Self::Cont),
                b'L' => {
                    let Some((nanos, after)) = after.split_first_chunk::<8>() else {
                        break;
                    };
                    orders.push(Self::Lease(u64::from_le_bytes(*nanos)));
                    rest = after;
                    continue;
                }
                _ => None,
            };
            orders.extend(order);
            rest = after;
        }
        *received = rest.to_vec();
        orders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_arrive_whole_however_they_are_cut() {
        let orders = [
            Order::Lease(u64::MAX - 1),
            Order::Stop,
            Order::Cont,
            Order::Lease(7),
            Order::Term,
            Order::Kill,
        ];
        let bytes: Vec<u8> = orders.iter().flat_map(|order| order.encode()).collect();
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            let mut received = first.to_vec();
            let mut taken = Order::take_all(&mut received);
            received.extend(second);
            taken.extend(Order::take_all(&mut received));
            assert_eq!((taken.as_slice(), received.len()), (orders.as_slice(), 0));
        }
    }
}
