//! Many signatures of one key, verified together: for ledgers, where few keys have signed millions of records.
//!
//! Verifying is `u1·G + u2·Q` (FIPS 186-5 section 6.4.2). For a key that comes again and again, the multiples of `Q` that
//! are needed are computed once, as those of `G` are: nothing is left but to add up. The two inversions of each signature
//! are shared by all signatures of a call. The arithmetic is that of `p256`, whose additions are complete (Renes, Costello,
//! Batina: Complete addition formulas for prime order elliptic curves, 2015), so that no operand is a special case.
//! Nothing here is secret, and nothing takes care to take the same time.

use std::sync::{Arc, LazyLock};

use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::Group;
use p256::elliptic_curve::PrimeField;
use p256::elliptic_curve::ff::BatchInverter;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::{AffineCoordinates, BatchNormalize};
use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};

/// Bits of a scalar that one addition deals with.
const WIDTH: usize = 7;
/// Digits of that width which a scalar of 256 bits has, and what the last of them carries.
const DIGITS: usize = 256 / WIDTH + 1;
/// The largest digit: they go from one less, below zero, up to this.
const LARGEST: usize = 1 << (WIDTH - 1);

static OF_GENERATOR: LazyLock<Multiples> = LazyLock::new(|| Multiples::of(ProjectivePoint::GENERATOR));

/// A key of which many signatures will be verified. Takes some 170 kB, and as long as some hundred verifications.
#[derive(Debug)]
pub struct Prepared(Multiples);

impl Prepared {
    /// Computes what verifying with that key needs.
    pub fn new(key: &VerifyingKey) -> Self {
        Prepared(Multiples::of(ProjectivePoint::from(*key.as_affine())))
    }
}

/// A signature to be verified.
#[derive(Debug)]
pub struct Claim<'a> {
    /// Whose it is said to be.
    pub key: Arc<Prepared>,
    /// SHA-256 of what was signed.
    pub digest: [u8; 32],
    /// The signature, with `s` in either half.
    pub signature: &'a Signature,
}

/// Of each claim, whether it is true: as [`verify`](super::verify) says it.
pub fn verify_all(claims: &[Claim<'_>]) -> Vec<bool> {
    let mut inverses: Vec<Scalar> = claims.iter().map(|claim| *claim.signature.s()).collect();
    let mut scratch = inverses.clone();
    BatchInverter::invert_with_external_scratch(&mut inverses, &mut scratch);
    let sum = |(claim, inverse): (&Claim<'_>, &Scalar)| {
        let digest = <Scalar as Reduce<FieldBytes>>::reduce(&claim.digest.into());
        let mut sum = ProjectivePoint::IDENTITY;
        OF_GENERATOR.add_to(&mut sum, &(digest * inverse));
        claim.key.0.add_to(&mut sum, &(*claim.signature.r() * inverse));
        sum
    };
    let sums: Vec<ProjectivePoint> = claims.iter().zip(&inverses).map(sum).collect();
    let sums: Vec<AffinePoint> =
        <ProjectivePoint as BatchNormalize<[ProjectivePoint]>>::batch_normalize(&sums);
    // Of the point at infinity, which no signature may lead to, x reads as 0, which no r is.
    let fits = |(claim, sum): (&Claim<'_>, &AffinePoint)| {
        <Scalar as Reduce<FieldBytes>>::reduce(&sum.x()) == *claim.signature.r()
    };
    claims.iter().zip(&sums).map(fits).collect()
}

/// `digit · 2^(WIDTH · place) · P`, place by place, for every digit above zero.
#[derive(Debug)]
struct Multiples(Box<[AffinePoint]>);

impl Multiples {
    fn of(point: ProjectivePoint) -> Self {
        let mut all = Vec::with_capacity(DIGITS * LARGEST);
        let mut one = point;
        for _ in 0..DIGITS {
            let mut sum = one;
            for _ in 0..LARGEST {
                all.push(sum);
                sum += one;
            }
            for _ in 0..WIDTH {
                one = one.double();
            }
        }
        let all: Vec<AffinePoint> =
            <ProjectivePoint as BatchNormalize<[ProjectivePoint]>>::batch_normalize(&all[..]);
        Multiples(all.into())
    }

    /// `sum += scalar · P`.
    fn add_to(&self, sum: &mut ProjectivePoint, scalar: &Scalar) {
        for (digit, multiples) in digits(scalar).into_iter().zip(self.0.chunks_exact(LARGEST)) {
            match digit {
                0 => {}
                1.. => *sum += multiples[digit.unsigned_abs() - 1],
                _ => *sum -= multiples[digit.unsigned_abs() - 1],
            }
        }
    }
}

/// The scalar as `Σ digit · 2^(WIDTH · place)`, from the lowest place on.
fn digits(scalar: &Scalar) -> [isize; DIGITS] {
    let bytes = scalar.to_repr();
    let bit = |at: usize| {
        bytes.get(31_usize.wrapping_sub(at / 8)).map_or(0, |byte| isize::from(byte >> (at % 8) & 1))
    };
    let mut carry = 0;
    std::array::from_fn(|place| {
        let digit = (0..WIDTH).map(|n| bit(WIDTH * place + n) << n).sum::<isize>() + carry;
        carry = isize::from(digit > LARGEST as isize);
        digit - (carry << WIDTH)
    })
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
    use p256::elliptic_curve::Curve;
    use p256::elliptic_curve::point::DecompressPoint;
    use p256::elliptic_curve::subtle::Choice;
    use proptest::prelude::*;

    use super::*;

    fn scalar(bytes: [u8; 32]) -> Scalar {
        <Scalar as Reduce<FieldBytes>>::reduce(&bytes.into())
    }

    fn key_of(secret: &Scalar) -> VerifyingKey {
        VerifyingKey::from_affine((ProjectivePoint::GENERATOR * secret).to_affine()).expect("a key")
    }

    /// What we say of each, which must be what the library that signs says.
    fn verdicts(claims: &[(VerifyingKey, [u8; 32], Signature)]) -> Vec<bool> {
        let all: Vec<Claim<'_>> = claims
            .iter()
            .map(|(key, digest, signature)| Claim {
                key: Arc::new(Prepared::new(key)),
                digest: *digest,
                signature,
            })
            .collect();
        let said = verify_all(&all);
        let theirs: Vec<bool> = claims
            .iter()
            .map(|(key, digest, signature)| key.verify_prehash(digest, signature).is_ok())
            .collect();
        assert_eq!(said, theirs);
        said
    }

    fn signature(r: &Scalar, s: &Scalar) -> Signature {
        Signature::from_scalars(r.to_repr(), s.to_repr()).expect("neither is zero")
    }

    proptest! {
        #[test]
        fn digits_are_small_and_make_up_the_scalar(bytes in any::<[u8; 32]>()) {
            let scalar = scalar(bytes);
            let mut sum = Scalar::ZERO;
            for digit in digits(&scalar).into_iter().rev() {
                prop_assert!(digit.unsigned_abs() <= LARGEST && digit > -(LARGEST as isize));
                let magnitude = Scalar::from(digit.unsigned_abs() as u64);
                sum *= Scalar::from(1_u64 << WIDTH);
                sum += if digit < 0 { -magnitude } else { magnitude };
            }
            prop_assert_eq!(sum, scalar);
        }

        /// Several keys in one call, and each signature or digest with a flipped bit, or without.
        #[test]
        fn agrees_with_another_library(
            made in proptest::collection::vec(
                (any::<[u8; 32]>(), any::<[u8; 32]>(), proptest::option::of(0_usize..768)), 1..6),
        ) {
            let mut claims = Vec::new();
            let mut good = Vec::new();
            for (secret, mut digest, flip) in made {
                let Ok(key) = SigningKey::from_slice(&secret) else { continue };
                let signed: Signature = key.sign_prehash(&digest).expect("signs");
                let mut bytes = signed.to_bytes();
                match flip {
                    Some(bit @ 0..512) => bytes[bit / 8] ^= 1 << (bit % 8),
                    Some(bit) => digest[(bit - 512) / 8] ^= 1 << (bit % 8),
                    None => {}
                }
                let Ok(signature) = Signature::from_slice(&bytes) else { continue };
                claims.push((*key.verifying_key(), digest, signature));
                good.push(flip.is_none());
            }
            prop_assert_eq!(verdicts(&claims), good);
        }
    }

    #[test]
    fn scalars_at_the_ends_have_right_multiples() {
        let ends = [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, scalar([0xFF; 32]), scalar([0x80; 32])];
        let more = std::iter::successors(Some(Scalar::ONE), |scalar| Some(*scalar + scalar)).take(256);
        for scalar in ends.into_iter().chain(more) {
            let mut sum = ProjectivePoint::IDENTITY;
            OF_GENERATOR.add_to(&mut sum, &scalar);
            assert_eq!(sum, ProjectivePoint::GENERATOR * scalar);
        }
    }

    /// Where the sum is the point at infinity, which has no x; the claims beside it are not touched by that.
    #[test]
    fn a_sum_at_infinity_is_no_signature() {
        let (secret, r, s) = (scalar([3; 32]), scalar([5; 32]), scalar([7; 32]));
        let key = SigningKey::from_slice(&secret.to_repr()).expect("a key");
        let good = (*key.verifying_key(), [9; 32], key.sign_prehash(&[9; 32]).expect("signs"));
        let nowhere = (*key.verifying_key(), (-(r * secret)).to_repr().into(), signature(&r, &s));
        assert_eq!(verdicts(&[good, nowhere, good, nowhere]), [true, false, true, false]);
    }

    /// Where both summands are the same point, and where the digest is zero.
    #[test]
    fn summands_may_be_equal_or_missing() {
        let (secret, nonce) = (scalar([3; 32]), scalar([11; 32]));
        let r = scalar((ProjectivePoint::GENERATOR * nonce).to_affine().x().into());
        let of_digest = |digest: Scalar| {
            let s = nonce.invert().expect("not zero") * (digest + r * secret);
            (key_of(&secret), digest.to_repr().into(), signature(&r, &s))
        };
        assert_eq!(verdicts(&[of_digest(r * secret), of_digest(Scalar::ZERO)]), [true, true]);
    }

    /// The x of the sum may be larger than the group's order; `r` is what is left of it.
    #[test]
    fn x_above_the_order_is_reduced() {
        let order = p256::NistP256::ORDER;
        let above = |n: u64| order.get().wrapping_add(&n.into());
        let point = (1..100).find_map(|n| {
            let x: FieldBytes = p256::elliptic_curve::bigint::Encoding::to_be_bytes(&above(n)).into();
            Some((n, Option::<AffinePoint>::from(AffinePoint::decompress(&x, Choice::from(0)))?))
        });
        let (r, point) = point.expect("every second x is that of a point");
        let (r, u1, u2) = (Scalar::from(r), scalar([13; 32]), scalar([17; 32]));
        let key =
            (ProjectivePoint::from(point) - ProjectivePoint::GENERATOR * u1) * u2.invert().expect("not zero");
        let key = VerifyingKey::from_affine(key.to_affine()).expect("a key");
        let s = r * u2.invert().expect("not zero");
        assert_eq!(verdicts(&[(key, (u1 * s).to_repr().into(), signature(&r, &s))]), [true]);
    }
}
