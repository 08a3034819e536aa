//! What happens to one attempt: where it breaks off, how, at which pace, and what follows the response.

use crate::answers::{self, Answer, Call};
use crate::connection::{ENDINGS, Ending};
use crate::draw::Draw;
use crate::ledger::{Expected, Payload};

/// Where the connection breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: the response is sent whole.
    Nowhere,
    /// After this many bytes of the request's body, which is not all of it.
    Request(usize),
    /// Before the response, but after the whole request.
    BetweenThem,
    /// After this many bytes of the response.
    Answer(usize),
    /// After this many bytes of the TLS records that carry the response.
    Record(usize),
    /// The response is sent whole after this many bytes of the request's body.
    Early(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    AtOnce,
    /// After a wait.
    Late,
    /// In pieces, with pauses.
    Pieces,
    /// A byte at a time; longer than any deadline.
    Drip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The connection is kept for the next request.
    Keep,
    CloseAtOnce,
    /// Within the time in which the client may use the connection again.
    CloseSoon,
    CloseLater,
    /// When the next request arrives.
    CloseOnReuse,
    ResetOnReuse,
    HalfCloseOnReuse,
    /// A second response in the same write.
    UnsolicitedWith,
    UnsolicitedAtOnce,
    /// While the connection rests.
    UnsolicitedLater,
}

pub const PLACES: [&str; 6] = ["nowhere", "request", "between-them", "answer", "record", "early"];
pub const PACES: [Pace; 4] = [Pace::AtOnce, Pace::Late, Pace::Pieces, Pace::Drip];
pub const AFTER: [After; 10] = [
    After::Keep,
    After::CloseAtOnce,
    After::CloseSoon,
    After::CloseLater,
    After::CloseOnReuse,
    After::ResetOnReuse,
    After::HalfCloseOnReuse,
    After::UnsolicitedWith,
    After::UnsolicitedAtOnce,
    After::UnsolicitedLater,
];

pub struct Script {
    pub answer: Answer,
    pub place: Place,
    pub ending: Ending,
    pub pace: Pace,
    pub after: After,
}

impl Script {
    /// A script without a fault.
    pub fn sound(call: &Call, draw: &mut Draw) -> Self {
        let answer = answers::sound(call, draw);
        Self { answer, place: Place::Nowhere, ending: Ending::Close, pace: Pace::AtOnce, after: After::Keep }
    }

    pub fn draw(call: &Call, body_length: usize, is_tls: bool, draw: &mut Draw) -> Self {
        let answer = answers::draw(call, draw);
        let ending = match draw.one_of(&ENDINGS) {
            // Its bytes would belong to a frame that may be handed out before it is verified.
            Ending::Alert if answer.is_streamed && !is_tls => Ending::Cut,
            ending => ending,
        };
        let pace = match draw.below(100) {
            0..70 => Pace::AtOnce,
            70..90 => Pace::Late,
            90..97 => Pace::Pieces,
            _ => Pace::Drip,
        };
        let after = if draw.percent(60) { After::Keep } else { draw.one_of(&AFTER) };
        let place = match draw.below(100) {
            0..7 => Place::BetweenThem,
            7..14 if body_length > 0 => Place::Request(draw.below(body_length)),
            14..20 if body_length > 0 && answer.can_be_early() => Place::Early(draw.below(body_length)),
            20..35 => Place::Answer(Self::draw_cut(&answer, draw)),
            35..40 if is_tls => Place::Record(1 + draw.below(answer.bytes.len() - 1)),
            _ => Place::Nowhere,
        };
        let mut script = Self { answer, place, ending, pace, after };
        script.settle(is_tls);
        script
    }

    /// Draws where a response is cut: every kind of place as often as the long ones.
    fn draw_cut(answer: &Answer, draw: &mut Draw) -> usize {
        let (head, all) = (answer.head_length, answer.bytes.len());
        match draw.below(5) {
            0 => draw.below(head),
            1 => head - 1,
            2 => head,
            3 => all - 1,
            _ => head + draw.below(all - head),
        }
    }

    /// Settles what the ledger expects of a response that breaks off.
    fn settle(&mut self, is_tls: bool) {
        let answer = &mut self.answer;
        let is_cut = !matches!(self.place, Place::Nowhere | Place::Early(_));
        // What was sent may be lost with the connection, or come after the client has given up.
        let is_uncertain = is_cut || matches!(self.place, Place::Early(_)) || self.pace == Pace::Drip;
        let is_lost = is_cut || answer.ends_with_connection;
        if is_uncertain || (is_lost && matches!(self.ending, Ending::Reset | Ending::Alert)) {
            answer.expected = Expected::Open;
        }
        // An event stream that came to its end is whole, whatever follows it.
        if is_lost && !answer.is_streamed {
            self.answer.payload = self.payload_of_what_is_sent(is_tls);
        }
    }

    /// What is left of the payload of a response that breaks off.
    fn payload_of_what_is_sent(&self, is_tls: bool) -> Payload {
        let answer = &self.answer;
        let sent = match self.place {
            Place::Request(_) | Place::BetweenThem => 0,
            Place::Answer(length) | Place::Record(length) => length,
            Place::Nowhere | Place::Early(_) => answer.bytes.len(),
        };
        let is_whole = sent == answer.bytes.len();
        match answer.payload {
            Payload::Any => Payload::Any,
            _ if sent < answer.head_length => Payload::Broken,
            // The bytes of the alert may take the place of those that are missing.
            _ if self.ending == Ending::Alert && !is_tls => Payload::Any,
            _ if answer.kind == "until-close" && !self.ends_soundly(is_tls) => Payload::Broken,
            payload if is_whole => payload,
            // What is missing does not show, or belongs to no response.
            _ if answer.kind == "until-close" || answer.has_rest => Payload::Any,
            _ => Payload::Broken,
        }
    }

    /// Whether the end of the connection looks like the end of a response that only it ends.
    fn ends_soundly(&self, is_tls: bool) -> bool {
        match self.ending {
            Ending::Close => true,
            Ending::Cut | Ending::HalfClose | Ending::Alert => !is_tls,
            Ending::Reset | Ending::Stall => false,
        }
    }

    /// Whether an honest service would have run the function.
    pub fn is_executed(&self, is_dry_run: bool) -> bool {
        match self.place {
            Place::Request(_) => false,
            // No word of an error came.
            Place::BetweenThem => !is_dry_run,
            Place::Nowhere | Place::Answer(_) | Place::Record(_) | Place::Early(_) => self.answer.executed,
        }
    }

    pub fn label(&self) -> String {
        let place = match self.place {
            Place::Nowhere => PLACES[0],
            Place::Request(_) => PLACES[1],
            Place::BetweenThem => PLACES[2],
            Place::Answer(_) => PLACES[3],
            Place::Record(_) => PLACES[4],
            Place::Early(_) => PLACES[5],
        };
        let breaks = self.place != Place::Nowhere || self.answer.ends_with_connection;
        let ending = if breaks { format!("{:?}", self.ending) } else { "-".into() };
        format!("{},{place},{ending},{:?},{:?}", self.answer.kind, self.pace, self.after)
    }
}
