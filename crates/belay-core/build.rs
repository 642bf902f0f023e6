//! Builds anew when a migration is added, removed or changed: they are embedded.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
