use super::{Class, Nesting, Order, Place, Refused};
use core::panic::Location;

#[track_caller]
fn here() -> Place {
    Location::caller()
}

/// Nests `inner` in `outer`, and says what that closes, if anything: for each earlier nesting the lines where its
/// two locks are made.
fn nest(order: &Order, outer: &Class, inner: &Class) -> Option<Vec<(u32, u32)>> {
    match order.add((outer, here()), (inner, here())) {
        Ok(()) => None,
        Err(Refused::Full) => panic!("full"),
        Err(refused) => Some(refused.earlier().map(|it| (it.outer.0.line(), it.inner.0.line())).collect()),
    }
}

#[test]
fn two_classes_in_both_orders_are_refused_and_the_earlier_one_is_told_with_both_places() {
    let order = Order::new();
    let a = Class::new();
    let b = Class::new();
    let (held, taken) = (here(), here());
    assert!(order.add((&a, held), (&b, taken)).is_ok() && order.knows(&a, &b));
    let refused = order.add((&b, here()), (&a, here())).unwrap_err();
    let earlier: Vec<Nesting> = refused.earlier().collect();
    assert_eq!(earlier, [Nesting { outer: (a.born, held), inner: (b.born, taken) }]);
    let text = refused.to_string();
    for place in [a.born, b.born, held, taken] {
        assert!(text.contains(&place.to_string()), "{place} is not in: {text}");
    }
    assert!(!order.knows(&b, &a), "what is refused is not added");
}

#[test]
fn a_cycle_of_three_is_told_link_by_link_in_order() {
    let order = Order::new();
    let a = Class::new();
    let b = Class::new();
    let c = Class::new();
    let line = |class: &Class| class.born.line();
    assert_eq!(nest(&order, &a, &b), None);
    assert_eq!(nest(&order, &b, &c), None);
    assert_eq!(nest(&order, &a, &c), None, "the same direction, by a shorter way");
    assert_eq!(nest(&order, &c, &a), Some(vec![(line(&a), line(&c))]), "the shortest chain");
    let order = Order::new();
    let [a, b, c] = [a.born, b.born, c.born].map(|born| Class { born, number: 0.into() });
    assert_eq!(nest(&order, &a, &b), None);
    assert_eq!(nest(&order, &b, &c), None);
    assert_eq!(nest(&order, &c, &a), Some(vec![(line(&a), line(&b)), (line(&b), line(&c))]));
}

#[test]
fn a_class_inside_itself_has_no_order() {
    let order = Order::new();
    let [one, other] = [const { Class::new() }; 2];
    assert_eq!(one.born, other.born, "made at one place");
    assert_eq!(nest(&order, &one, &other), Some(vec![]));
    let refused = order.add((&one, here()), (&other, here())).unwrap_err();
    assert!(refused.to_string().contains("one class"), "{refused}");
}

#[test]
fn locks_of_one_place_share_their_edges() {
    let order = Order::new();
    let [one, other] = [const { Class::new() }; 2];
    let inner = Class::new();
    assert_eq!(nest(&order, &one, &inner), None);
    assert!(!order.knows(&other, &inner), "it has no number yet");
    assert_eq!(nest(&order, &other, &inner), None);
    assert!(order.knows(&other, &inner) && order.nr_edges.load(core::sync::atomic::Ordering::Relaxed) == 1);
    assert!(nest(&order, &inner, &other).is_some());
}

#[test]
fn any_number_of_nestings_without_a_cycle_is_let_through() {
    let order = Order::new();
    let a = Class::new();
    let b = Class::new();
    let c = Class::new();
    let d = Class::new();
    let chain = [&a, &b, &c, &d];
    for (at, outer) in chain.iter().enumerate() {
        for inner in &chain[at + 1..] {
            assert_eq!(nest(&order, outer, inner), None);
            assert_eq!(nest(&order, outer, inner), None, "and again");
        }
    }
    for (at, outer) in chain.iter().enumerate() {
        for inner in &chain[..at] {
            assert_eq!(nest(&order, outer, inner).map(|chain| chain.len()), Some(1));
        }
    }
}

#[test]
fn a_full_graph_says_so() {
    let order = Order::new();
    order.nr_edges.store(super::EDGES, core::sync::atomic::Ordering::Relaxed);
    let a = Class::new();
    let b = Class::new();
    assert!(matches!(order.add((&a, here()), (&b, here())), Err(Refused::Full)));
}
