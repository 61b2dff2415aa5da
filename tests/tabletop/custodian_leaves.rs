//! A custodian who also opened leaves, and another one comes. Each is led through by one command, and afterwards the one who
//! left has nothing that opens.

use crate::auditor::Clock;
use crate::people::{People, without_table};
use crate::real::*;

const ERIN: &str = "\n[[person]]\nname = \"erin\"\nroles = [\"custodian\", \"operator\"]\nkeys = [4000004]\n";
const FOUR: &str = "\n[[key]]\nserial = 4000004\nplace = \"safe B\"\nbag = \"0900\"\npuk = \"ada\"\n";

#[test]
fn a_custodian_leaves_and_another_one_comes() {
    let mut people = People::with(&[&KEYS[..], &[(STRANGER, "5.7.4")]].concat());
    people.adopts(|text| {
        let carol =
            "\n[[person]]\nname = \"carol\"\nroles = [\"custodian\", \"operator\"]\nkeys = [4000003]\n";
        let dana = "\n[[person]]\nname = \"dana\"\nroles = [\"custodian\", \"auditor\"]\n";
        let text = text.replace("place = \"safe A\"\nbag = \"0418\"", "place = \"safe C\"\nbag = \"0418\"");
        text.replace("puk = \"carol\"", "puk = \"ada\"") + carol + dana
    });
    people.edits(|text| {
        let (before, three) = text.split_once("serial = 4000003").expect("its table");
        format!("{before}serial = 4000003{}", three.replacen("puk = \"ada\"", "puk = \"carol\"", 1))
    });
    for with in ["4000001", "4000002"] {
        people.does(&format!("breakglass policy adopt --with {with}"));
    }
    // One night carol opens core-db/root, with her key and another.
    let carols: Vec<&str> =
        opening("core-db/root").into_iter().map(|word| if word == "ada" { "carol" } else { word }).collect();
    people.run(&[&carols[..], &["--key", "4000003,4000001"]].concat()).gave(ROOT_SECRET);
    let close = ["close", "INC-4711", "--verdict", "real", "--outcome", "PAM is back", "--with", "4000001"];
    people.run(&[&close[..], &["--confirm", "close INC-4711"]].concat()).done();

    // Erin comes first, with a key that is new.
    let took = people.led_through(&["--joins", "erin", "--key", "4000004"], |people, step| {
        if step.starts_with("edit kit.toml: add [[person]] name = \"erin\"") {
            people.edits(|text| text + ERIN + FOUR);
            return true;
        }
        if step == "put 4000004 into a new bag" {
            people.put_away("4000004", "0901", ["erin", "dana"], "4000004");
            return true;
        }
        false
    });
    assert_eq!((took[0].as_str(), took[1].as_str(), took.len()), ("provision 4000004", "admit 4000004", 7));
    let (_, told) = people.change(&["--joins", "erin", "--key", "4000004"]);
    assert!(
        told["untouched"][0]["why"].as_str().expect("text").contains("--to 4000001,4000002,4000003,4000004")
    );

    // Carol leaves. What she has read and could have opened is named, and what she could not have is not touched.
    let said = people.run(&["change", "--leaves", "carol"]).is(1, &[]).text();
    for line in [
        "next   edit kit.toml: remove [[person]] name = \"carol\", and say who keeps 4000003 now; another puk than \
         \"carol\" for key 4000003\n",
        "then   rotate core-db/root\n          carol opened generation 1 of it for INC-4711\n",
        "then   change the PIN of 4000001\n          carol typed it\n",
        "waits  change the PIN of 4000003\n          carol kept it\n          until the policy without carol is in force\n",
        "waits  change the PUK of 4000003\n          carol held it\n",
        "waits  put 4000003 into a new bag\n",
        "waits  rotate core-fw/admin\n          carol could have opened generation 1 with 4000003\n          until the PIN of \
         4000003 is one that carol does not know\n",
        "note   whether 4000003 was used beside the records nothing can tell: it has no counter\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    people.led_through(&["--leaves", "carol"], |people, step| {
        if step.starts_with("edit kit.toml") {
            people.edits(|text| {
                let text = without_table(&text, "[[person]]", "name = \"carol\"");
                text.replace("puk = \"carol\"", "puk = \"ada\"")
                    .replace("keys = [4000004]", "keys = [4000003, 4000004]")
            });
            return true;
        }
        if step == "put 4000003 into a new bag" {
            people.put_away("4000003", "0902", ["erin", "dana"], "4000003");
            return true;
        }
        false
    });
    // She knows the old PIN, and it is one no more; nor may she open.
    let refused = people.run(&[&carols[..], &["--key", "4000003,4000001"]].concat());
    refused.refused(
        1,
        &[
            "the policy does not allow it: \"carol\" is not an operator; operators are: ada, erin.",
            "nothing was opened.",
        ],
    );
    assert_ne!(people.life.world.tries(THREE).0, 0);

    // What the incident of that night left besides is done too, and then nothing is found.
    let incident = |words: &[&str], word: &str| {
        people.run(&[words, &["--with", "4000001", "--confirm", word]].concat()).done();
    };
    for debt in ["return 4000001", "account core-db/root"] {
        let words = ["discharge", "INC-4711", debt, "--by", "dana", "--how", "seen by two"];
        incident(&words, &format!("discharge {debt}"));
    }
    let review = ["review", "INC-4711", "--by", "dana", "--judgement", "agree", "--text", "as it should be"];
    incident(&review, "review INC-4711");
    let rules = people.status(Clock::Right).1;
    assert_eq!(rules, ["RECORDS-UPLOAD"], "the records go to the auditor now");
    let auditor = people.auditor(Clock::Right);
    auditor.finds(Clock::Right).is(&["due RECORDS-UPLOAD"]); // it was copied, without a signed export
}
