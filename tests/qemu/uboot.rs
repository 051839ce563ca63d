//! U-Boot starts the raw Image, as a board does: `booti`, with a tree that U-Boot has changed and moved.

use crate::guest::{Ended, Handed, raw_image};
use crate::verdict::FirstLine;

/// Where Debian's `u-boot-qemu` puts the one for `virt`.
const UBOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";

/// The first key stops the countdown.
const TYPED: &str = " setenv bootargs shell cmds=version\nbooti 0x42000000 - $fdtcontroladdr\n";

fn booti(machine: &str) -> Ended {
    assert!(std::path::Path::new(UBOOT).exists(), "there is no {UBOOT}: run scripts/setup --tests");
    let image = format!("loader,file={},addr=0x42000000,force-raw=on", raw_image().display());
    let guest = Handed::image(&image).option("-M", machine).option("-bios", UBOOT).typing(TYPED);
    guest.boot("").expect_status(0)
}

#[test]
fn booti_of_the_raw_image_boots_at_either_level_on_either_gic() {
    let machines = [
        ("virt,gic-version=3", 3, 1),
        ("virt,gic-version=3,virtualization=on", 3, 2),
        ("virt,gic-version=2", 2, 1),
        ("virt,gic-version=2,virtualization=on", 2, 2),
    ];
    for (machine, gic, el) in machines {
        let ended = booti(machine);
        let line = ended.lines().find_map(FirstLine::parse);
        let line = line.unwrap_or_else(|| panic!("no version line in {}", ended.story()));
        assert_eq!((line.cpus, line.gic, line.el), (4, gic, el), "{}", ended.story());
    }
}
