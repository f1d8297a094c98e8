use std::collections::BinaryHeap;

/// A task and how urgent it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task {
    urgency: u32,
    name: String,
}

impl Task {
    pub fn new(name: &str, urgency: u32) -> Self {
        Task { urgency, name: name.to_string() }
    }
}

fn main() {
    let mut waiting = BinaryHeap::new();
    waiting.push(Task::new("sweep", 1));
    waiting.push(Task::new("repair the roof", 9));
    while let Some(task) = waiting.pop() {
        // the most urgent first
        println!("{} ({})", task.name, task.urgency);
    }
    let total: u32 = (1..=10).filter(|n| n % 2 == 0).sum();
    match total {
        30 => println!("as expected"),
        _ => panic!("wrong sum: {total}"),
    }
}
