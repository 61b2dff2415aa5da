//! Orders on standard input: what happens to which key.

use breakglass::device::practice::{Fault, FaultPlan, KeyReference, Touch, Which};

use crate::reader::Slot;

const HELP: &str = "SERIAL then one of: remove | insert | remove-at N | remove-after N | touch give [MS] | \
                    touch withhold [MS] | answer-at N HEX | answer-from N HEX | truncate-at N LENGTH | \
                    append-at N HEX | flip-at N BYTE MASK | delay-at N MS | silent-at N | clear | blank | \
                    counterfeit SLOT | complexity on|off | tries | touches | counters | reset-counters | heard | \
                    busy; \
                    commands N are counted from 1 from the order on";

/// Does what the line says; what there is to tell of it.
pub(crate) fn obey(slots: &[Slot], line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [serial, order @ ..] = &words[..] else {
        return Err("an empty order".to_owned());
    };
    if *serial == "help" {
        return Ok(HELP.to_owned());
    }
    let slot = slots
        .iter()
        .find(|slot| slot.key.serial().to_string() == *serial)
        .ok_or_else(|| format!("there is no key {serial}"))?;
    handle(slot, order)
}

fn handle(slot: &Slot, order: &[&str]) -> Result<String, String> {
    let key = &slot.key;
    match order {
        ["remove"] => {
            key.remove().map_err(text)?;
            slot.hang_up();
        }
        ["insert"] => key.insert().map_err(text)?,
        ["touch", "give", delay @ ..] => {
            let after_ms = delay.first().map_or(Ok(0), |text| number(text))?;
            key.set_touch(Touch::Given { after_ms }).map_err(text)?;
        }
        ["touch", "withhold", wait @ ..] => {
            let for_ms = wait.first().map_or(Ok(0), |text| number(text))?;
            key.set_touch(Touch::Withheld { for_ms }).map_err(text)?;
        }
        ["clear"] => key.set_faults(FaultPlan::new()),
        ["blank"] => key.with_model(|model, _| model.make_blank()).map_err(text)?,
        ["counterfeit", slot] => {
            let reference = u8::from_str_radix(slot, 16).ok().and_then(KeyReference::new);
            let reference = reference.ok_or_else(|| format!("{slot} is not a slot"))?;
            key.with_model(|model, around| model.counterfeit(reference, around))
                .map_err(text)?
                .ok_or_else(|| format!("slot {reference} is empty"))?;
        }
        ["complexity", word @ ("on" | "off")] => {
            key.with_model(|model, _| model.complexity = *word == "on").map_err(text)?;
        }
        ["tries"] => {
            let left = |which| key.with_model(move |model, _| model.reference(which).left).map_err(text);
            return Ok(format!("pin={} puk={}", left(Which::Pin)?, left(Which::Puk)?));
        }
        ["counters"] => {
            let seen = key.counters();
            return Ok(format!(
                "commands={} bytes_in={} bytes_out={} pins_sent={}",
                seen.commands, seen.bytes_in, seen.bytes_out, seen.pins_sent
            ));
        }
        ["touches"] => return key.with_model(|_, around| around.touches().to_string()).map_err(text),
        ["reset-counters"] => key.reset_counters(),
        ["busy"] => return Ok(slot.take_busy().as_micros().to_string()),
        ["heard"] => {
            let heard: Vec<String> = slot.take_heard().iter().map(hex::encode_upper).collect();
            return Ok(heard.join(" "));
        }
        ["answer-from", n, bytes] => {
            key.set_faults(
                FaultPlan::new().from(number(n)?, Fault::Replace(hex::decode(bytes).map_err(text)?)),
            );
        }
        [name, n, details @ ..] => key.set_faults(FaultPlan::new().at(number(n)?, fault(name, details)?)),
        _ => return Err("not an order; try: help".to_owned()),
    }
    Ok(String::new())
}

fn fault(name: &str, details: &[&str]) -> Result<Fault, String> {
    Ok(match (name, details) {
        ("remove-at", []) => Fault::Remove,
        ("remove-after", []) => Fault::RemoveAfter,
        ("silent-at", []) => Fault::NeverAnswers(0),
        ("delay-at", [milliseconds]) => Fault::Delay(number(milliseconds)?),
        ("answer-at", [bytes]) => Fault::Replace(hex::decode(bytes).map_err(text)?),
        ("append-at", [bytes]) => Fault::Append(hex::decode(bytes).map_err(text)?),
        ("truncate-at", [length]) => Fault::Truncate(number(length)?),
        ("flip-at", [byte, mask]) => Fault::Flip { byte: number(byte)?, mask: number(mask)? },
        _ => return Err("not an order; try: help".to_owned()),
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
