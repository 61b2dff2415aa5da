//! Wrong PINs, blocked PINs, the last try, and touches that do not come.

use crate::real::*;

fn wrong(serial: u32) -> String {
    format!("{serial} pin 11111111")
}

fn open_with_one(life: &Life, more: &[&str], pins: &[String]) -> Said {
    life.run(&[&opening("core-fw/admin")[..], &["--key", "4000001"], more].concat(), pins)
}

const OTHERS: &str = "other keys that would do: 4000002 (safe A, bag 0418), 4000003 (safe B, bag 0102)";

#[test]
fn each_wrong_pin_is_sent_once_and_the_last_try_is_kept() {
    let life = Life::start();
    open_with_one(&life, &[], &[wrong(ONE)]).refused(
        4,
        &[
            "that PIN is wrong. 4000001 has 2 tries left",
            "key 4000001: that PIN is wrong; 2 tries left.",
            "each wrong PIN has spent a try.",
            "run it again with the right PIN",
            OTHERS,
        ],
    );
    assert_eq!((life.pins_sent(), life.world.tries(ONE)), (vec![1, 0, 0], (2, 3)));

    // The second of the lines is right, but it would be the last try.
    let last_try = [
        "key 4000001 has 1 PIN try left.",
        "we will not use the last try without your word.",
        "if you are sure of the PIN of 4000001:  … --spend-last-try        carol holds the PUK",
        OTHERS,
    ];
    open_with_one(&life, &[], &[wrong(ONE), pin_line(ONE)])
        .refused(4, &last_try)
        .says(&["2 PIN tries left", "that PIN is wrong. 4000001 has 1 try left"]);
    assert_eq!((life.pins_sent(), life.world.tries(ONE)), (vec![1, 0, 0], (1, 3)));
    open_with_one(&life, &[], &[pin_line(ONE)]).refused(4, &last_try).says(&["1 PIN try left"]);
    assert_eq!((life.pins_sent(), life.world.tries(ONE)), (vec![0, 0, 0], (1, 3)));
    open_with_one(&life, &["--spend-last-try"], &[pin_line(ONE)]).gave(ADMIN_SECRET);
    assert_eq!(life.world.tries(ONE), (3, 3));

    // Whatever signs keeps it.
    life.reset();
    for _ in 0..2 {
        open_with_one(&life, &[], &[wrong(ONE)]).is(4, &[]);
    }
    life.pins_sent();
    let seal = ["seal", "a/b", "--with", "4000001", "--confirm", "seal a"];
    life.run_with(&seal, &[pin_line(ONE)], b"x").refused(
        4,
        &[
            "key 4000001 has 1 PIN try left.",
            "we will not use the last try without your word.",
            "if you are sure of the PIN of 4000001:  … --spend-last-try",
        ],
    );
    assert_eq!(life.pins_sent(), [0, 0, 0]);
}

#[test]
fn a_blocked_pin_names_other_keys_their_places_and_who_holds_the_puk() {
    let life = Life::start();
    let blocked = [
        "key 4000001: the PIN is blocked.",
        "nothing was opened.",
        "unblock it with the PUK:  breakglass key pin 4000001 --what unblock        carol holds the PUK",
        OTHERS,
    ];
    open_with_one(&life, &["--spend-last-try"], &vec![wrong(ONE); 4]).refused(4, &blocked);
    assert_eq!((life.pins_sent(), life.world.tries(ONE)), (vec![3, 0, 0], (0, 3)));
    open_with_one(&life, &[], &[pin_line(ONE)]).refused(4, &blocked);
    open_with_one(&life, &["--spend-last-try"], &[pin_line(ONE)]).refused(4, &blocked);
    assert_eq!(life.pins_sent(), [0, 0, 0]);

    // With more keys at hand it says so and goes on with the next.
    life.open("core-fw/admin", &[ONE, TWO], &[]).gave(ADMIN_SECRET).says(&[
        "key 4000001: the PIN is blocked\n",
        "4000002: genuine",
        "signed and on disk: record 4000002/2",
    ]);
    assert_eq!(life.pins_sent(), [0, 2, 0]);
    life.open("core-db/root", &[ONE, TWO, THREE], &[]).gave(ROOT_SECRET);
    assert_eq!(life.pins_sent(), [0, 1, 2]);

    // Two of three, and the second one gets blocked: what was signed on the way stands, and is said to.
    life.reset();
    let words = [&opening("core-db/root")[..], &["--key", "4000001,4000002", "--spend-last-try"]].concat();
    let pins = [vec![pin_line(ONE)], vec![wrong(TWO); 3]].concat();
    life.run(&words, &pins).refused(
        4,
        &[
            "key 4000002: the PIN is blocked.",
            "nothing was handed out; what was signed stands in the journal.",
            "unblock it with the PUK:  breakglass key pin 4000002 --what unblock        carol holds the PUK",
            "other keys that would do: 4000003 (safe B, bag 0102)",
        ],
    );
    assert_eq!(life.pins_sent(), [1, 3, 0]);
}

#[test]
fn a_withheld_touch_spends_no_try_and_is_asked_for_three_times() {
    let life = Life::start();
    life.world.order("4000001 touch withhold");
    open_with_one(&life, &[], &[pin_line(ONE)])
        .refused(
            3,
            &[
                "key 4000001: the key was not touched in time.",
                "the PIN was right, no try was spent.",
                "run it again and touch the key when it blinks",
                OTHERS,
            ],
        )
        .says(&[
            "touch 4000001 now to sign",
            "not touched in time; once more",
            "not touched in time; once more",
        ]);
    assert_eq!(life.world.tries(ONE), (3, 3));
    life.world.order("4000001 touch give");
    open_with_one(&life, &[], &[pin_line(ONE)]).gave(ADMIN_SECRET);

    // The touch for the record is given, the one for the secret is not: the PIN is not sent again for it.
    life.reset();
    life.world.order("4000001 heard");
    open_with_one(&life, &[], &[pin_line(ONE)]).gave(ADMIN_SECRET);
    let heard = life.world.order("4000001 heard");
    let unwrap = heard.split(' ').position(|header| header == "00871182").expect("an agreement") + 1;
    life.reset();
    life.world.order(&format!("4000001 answer-at {unwrap} 6982"));
    open_with_one(&life, &[], &[pin_line(ONE)]).gave(ADMIN_SECRET).says(&[
        "touch 4000001 now to unwrap",
        "4000001 was not touched in time; once more",
        "touch 4000001 now to unwrap",
    ]);
    assert_eq!(life.pins_sent(), [2, 0, 0]);
    life.world.order(&format!("4000001 answer-from {unwrap} 6982"));
    open_with_one(&life, &[], &[pin_line(ONE)]).refused(
        3,
        &[
            "key 4000001: the key was not touched in time.",
            "the PIN was right, no try was spent.",
            "run it again and touch the key when it blinks",
            OTHERS,
        ],
    );
    life.world.order("4000001 clear");
    let verified = life.run(&["records", "verify"], &[]).is(1, &[]).text();
    assert!(verified.contains("it may have been disclosed") && verified.contains("intact: "), "{verified}");
}
