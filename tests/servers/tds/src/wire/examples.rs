//! The examples of [MS-TDS] section 4, byte for byte, and what must hold of any bytes.

use proptest::prelude::*;

use super::login::Login;
use super::packet::{self, HEADER, Header};
use super::prelogin::{self, Prelogin};
use super::reader::Reader;
use super::request::{self, Procedure};
use super::{bulk, token};
use crate::types::{Kind, SqlType, Value, info, value};

fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// A packet's body, once its header is what it should be.
fn body(packet: &[u8], kind: u8) -> &[u8] {
    let header = Header::parse(packet[..HEADER].try_into().unwrap()).unwrap();
    assert_eq!(
        (header.kind, usize::from(header.length)),
        (kind, packet.len())
    );
    assert_eq!(header.bytes(), packet[..HEADER]);
    &packet[HEADER..]
}

/// 4.1 Pre-Login Request.
#[test]
fn prelogin_request() {
    let packet = bytes(
        "12 01 00 2F 00 00 01 00 00 00 1A 00 06 01 00 20 00 01 02 00 21 00 01 03 00 22 00 04 04 00 26 00 01 FF 09 00 00
         00 00 00 01 00 B8 0D 00 00 01",
    );
    let found = Prelogin::parse(body(&packet, packet::PRELOGIN)).unwrap();
    let wanted = Prelogin {
        version: Some([9, 0, 0, 0, 0, 0]),
        encryption: Some(prelogin::ENCRYPT_ON),
        mars: Some(1),
        fedauth: None,
    };
    assert_eq!(found, wanted);
}

/// 2.2.6.5: the answer has the same form.
#[test]
fn prelogin_answer() {
    let answer = prelogin::answer(prelogin::ENCRYPT_REQUIRED, Some(1));
    let found = Prelogin::parse(&answer).unwrap();
    assert_eq!(
        (found.encryption, found.mars, found.fedauth),
        (Some(prelogin::ENCRYPT_REQUIRED), Some(0), Some(1))
    );
}

/// 4.2 Login Request.
#[test]
fn login_request() {
    let packet = bytes(
        "10 01 00 90 00 00 01 00 88 00 00 00 02 00 09 72 00 10 00 00 00 00 00 07 00 01 00 00 00 00 00 00 E0 03 00 00 00
         00 00 00 09 04 00 00 5E 00 08 00 6E 00 02 00 72 00 00 00 72 00 07 00 80 00 00 00 80 00 00 00 80 00 04 00 88 00
         00 00 88 00 00 00 00 50 8B E2 B7 8F 88 00 00 00 88 00 00 00 88 00 00 00 00 00 00 00 73 00 6B 00 6F 00 73 00 74
         00 6F 00 76 00 31 00 73 00 61 00 4F 00 53 00 51 00 4C 00 2D 00 33 00 32 00 4F 00 44 00 42 00 43 00",
    );
    let login = Login::parse(body(&packet, packet::LOGIN7)).unwrap();
    assert_eq!(
        (
            login.host.as_str(),
            login.user.as_str(),
            login.password.as_str()
        ),
        ("skostov1", "sa", "")
    );
    assert_eq!(
        (
            login.app.as_str(),
            login.library.as_str(),
            login.packet_size
        ),
        ("OSQL-32", "ODBC", 4096)
    );
    assert_eq!(login.tds_version, 0x7209_0002);
}

/// 4.6 SQL Batch Client Request.
#[test]
fn batch_request() {
    let packet = bytes(
        "01 01 00 5C 00 00 01 00 16 00 00 00 12 00 00 00 02 00 00 00 00 00 00 00 00 01 00 00 00 00 0A 00 73 00 65 00 6C
         00 65 00 63 00 74 00 20 00 27 00 66 00 6F 00 6F 00 27 00 20 00 61 00 73 00 20 00 27 00 62 00 61 00 72 00 27 00
         0A 00 20 00 20 00 20 00 20 00 20 00 20 00 20 00 20 00",
    );
    assert_eq!(
        request::batch(body(&packet, packet::BATCH)).unwrap(),
        "\nselect 'foo' as 'bar'\n        "
    );
}

/// 4.8 RPC Client Request.
#[test]
fn rpc_request() {
    let packet = bytes(
        "03 01 00 2F 00 00 01 00 16 00 00 00 12 00 00 00 02 00 00 00 00 00 00 00 00 01 00 00 00 00 04 00 66 00 6F 00 6F
         00 33 00 00 00 00 02 26 02 00",
    );
    let calls = request::calls(body(&packet, packet::RPC)).unwrap();
    let [call] = calls.as_slice() else {
        panic!("{calls:?}")
    };
    assert_eq!(call.procedure, Procedure::Named("foo3".to_owned()));
    let [parameter] = call.parameters.as_slice() else {
        panic!("{call:?}")
    };
    assert_eq!(
        (parameter.ty.kind, &parameter.value, parameter.default),
        (Kind::SmallInt, &Value::Null, true)
    );
}

/// 4.12 Bulk Load.
#[test]
fn bulk_load() {
    let packet = bytes(
        "07 01 00 26 00 00 01 00 81 01 00 00 00 00 00 05 00 32 02 63 00 31 00 D1 00 FD 00 00 00 00 00 00 00 00 00 00 00 00",
    );
    let mut reader = Reader::new(body(&packet, packet::BULK));
    let columns = bulk::columns(&mut reader).unwrap();
    assert_eq!(
        (columns[0].name.as_str(), columns[0].declared.ty.kind),
        ("c1", Kind::Bit)
    );
    assert!(bulk::next(&mut reader).unwrap());
    assert_eq!(
        value::raw(&columns[0].declared, &mut reader)
            .unwrap()
            .as_deref(),
        Some([0].as_slice())
    );
    assert!(!bulk::next(&mut reader).unwrap());
}

/// 2.2.7.6 DONE, 2.2.7.4 COLMETADATA and 2.2.7.17 ROW, as the answer to 4.6 has them.
#[test]
fn batch_response() {
    let ty = SqlType::sized(Kind::VarChar, 3);
    let column = token::Column {
        name: "bar".to_owned(),
        ty,
        nullable: false,
        identity: false,
        computed: false,
    };
    let mut out = Vec::new();
    token::colmetadata(&mut out, &[column]);
    out.push(token::ROW);
    value::put(&mut out, &ty, &Value::text("foo")).unwrap();
    token::done(&mut out, token::DONE, token::COUNT, token::CMD_SELECT, 1);
    let wanted = bytes(
        "81 01 00 00 00 00 00 08 00 A7 03 00 09 04 D0 00 34 03 62 00 61 00 72 00 D1 03 00 66 6F 6F FD 10 00 C1 00 01 00 00
         00 00 00 00 00",
    );
    assert_eq!(out, wanted);
}

/// 2.2.5.5.1.6: the sign, then the magnitude, least byte first.
#[test]
fn decimals_on_the_wire() {
    let ty = SqlType::decimal(10, 2);
    let mut out = Vec::new();
    value::put(
        &mut out,
        &ty,
        &Value::Decimal(crate::types::Decimal::new(-12_345, 2)),
    )
    .unwrap();
    assert_eq!(out, bytes("09 00 39 30 00 00 00 00 00 00"));
}

/// 2.2.5.5.1.8: times count units of their scale, days count from year 1; datetime counts 1/300 s.
#[test]
fn times_on_the_wire() {
    let noon = Value::Moment(
        crate::types::clock::day_of(2000, 1, 1).unwrap() * crate::types::clock::DAY
            + crate::types::clock::DAY / 2,
    );
    let put = |ty: SqlType| {
        let mut out = Vec::new();
        value::put(&mut out, &ty, &noon).unwrap();
        out
    };
    assert_eq!(
        put(SqlType::timed(Kind::DateTime2, 0)),
        bytes("06 C0 A8 00 07 24 0B")
    );
    assert_eq!(
        put(SqlType::timed(Kind::DateTime2, 7)),
        bytes("08 00 E0 34 95 64 07 24 0B")
    );
    assert_eq!(
        put(SqlType::plain(Kind::DateTime)),
        bytes("08 AC 8E 00 00 00 C1 C5 00")
    );
    assert_eq!(
        put(SqlType::plain(Kind::SmallDateTime)),
        bytes("04 AC 8E D0 02")
    );
}

proptest! {
    /// Whatever comes over the wire is read or refused.
    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop(Prelogin::parse(&bytes));
        drop(Login::parse(&bytes));
        drop(request::batch(&bytes));
        drop(request::calls(&bytes));
        drop(request::manage(&bytes));
        drop(bulk::columns(&mut Reader::new(&bytes)));
        if let Ok(declared) = info::read(&mut Reader::new(&bytes)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(Some(data)) = value::raw(&declared, &mut reader) {
                drop(value::parse(&declared.ty, &data));
            }
        }
    }

    /// The same behind well-formed headers, where the readers get further.
    #[test]
    fn no_call_makes_the_reader_panic(rest in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut message = crate::trial::batch("");
        message.extend([0xFF, 0xFF, 10, 0, 0, 0, 0, 0]);
        message.extend(&rest);
        drop(request::calls(&message));
        let mut load = vec![0x81, 1, 0, 0, 0, 0, 0, 0, 0];
        load.extend(&rest);
        drop(bulk::columns(&mut Reader::new(&load)));
    }
}

/// A type, and a value of it.
fn typed() -> impl Strategy<Value = (SqlType, Value)> {
    use crate::types::clock;
    let day = 0..clock::END;
    let moment = |scale: u8| {
        (0..clock::END, 0..clock::DAY).prop_map(move |(day, ticks)| {
            day * clock::DAY + ticks / clock::unit(scale) * clock::unit(scale)
        })
    };
    prop_oneof![
        any::<i64>().prop_map(|number| (SqlType::plain(Kind::BigInt), Value::Int(number))),
        any::<i32>().prop_map(|number| (SqlType::plain(Kind::Int), Value::Int(i64::from(number)))),
        any::<u8>()
            .prop_map(|number| (SqlType::plain(Kind::TinyInt), Value::Int(i64::from(number)))),
        any::<f64>()
            .prop_filter("no NaN", |number| !number.is_nan())
            .prop_map(|number| (SqlType::plain(Kind::Float), Value::Float(number))),
        any::<f32>()
            .prop_filter("no NaN", |number| !number.is_nan())
            .prop_map(|number| (SqlType::plain(Kind::Real), Value::Real(number))),
        (any::<i64>(), 0_u8..19).prop_map(|(number, scale)| (
            SqlType::decimal(38, scale),
            Value::Decimal(crate::types::Decimal::new(i128::from(number), scale))
        )),
        any::<i64>().prop_map(|number| (
            SqlType::plain(Kind::Money),
            Value::Decimal(crate::types::Decimal::new(i128::from(number), 4))
        )),
        any::<String>().prop_map(|text| (
            SqlType::sized(Kind::NVarChar, crate::types::MAX),
            Value::text(text)
        )),
        proptest::collection::vec(any::<u16>(), 0..20).prop_map(|units| {
            let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            (
                SqlType::nvarchar(20),
                Value::Text(crate::types::text::from_utf16(&bytes)),
            )
        }),
        proptest::collection::vec(any::<u8>(), 0..20)
            .prop_map(|bytes| (SqlType::sized(Kind::VarBinary, 20), Value::Bytes(bytes))),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| {
            let ty = SqlType::sized(Kind::VarChar, 20);
            (ty, value::parse(&ty, &bytes).unwrap())
        }),
        day.prop_map(|day| (SqlType::plain(Kind::Date), Value::Date(day))),
        (0..clock::DAY).prop_map(|ticks| (SqlType::plain(Kind::Time), Value::Time(ticks))),
        moment(7).prop_map(|ticks| (SqlType::plain(Kind::DateTime2), Value::Moment(ticks))),
        moment(3).prop_map(|ticks| (SqlType::timed(Kind::DateTime2, 3), Value::Moment(ticks))),
        (640_000..clock::END - 1, 0_i64..300 * 86_400).prop_map(|(day, units)| (
            SqlType::plain(Kind::DateTime),
            Value::Moment(clock::from_threehundredths(day, units))
        )),
        (moment(7), -840_i16..=840).prop_map(|(ticks, minutes)| (
            SqlType::plain(Kind::DateTimeOffset),
            Value::Offset(ticks, minutes)
        )),
        any::<[u8; 16]>()
            .prop_map(|bytes| (SqlType::plain(Kind::UniqueIdentifier), Value::Guid(bytes))),
    ]
}

proptest! {
    /// A value is the same after the wire, and after SQLite.
    #[test]
    fn values_come_back((ty, value) in typed()) {
        let mut kept = Vec::new();
        value::put(&mut kept, &ty, &value).unwrap();
        prop_assert_eq!(&value::read_kept(&ty, &mut Reader::new(&kept)).unwrap(), &value);
        let form = crate::engine::form::to_sqlite(&value).unwrap();
        let plain = match &form {
            rusqlite::types::ToSqlOutput::Borrowed(plain) => *plain,
            rusqlite::types::ToSqlOutput::Owned(plain) => plain.into(),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!(crate::engine::form::from_sqlite(plain, &ty).unwrap(), value);
    }

    /// Decimals are in order in SQLite whatever their scales.
    #[test]
    fn decimals_keep_their_order(a in any::<i64>(), b in any::<i64>(), s in 0_u8..9, t in 0_u8..9) {
        let (left, right) = (crate::types::Decimal::new(i128::from(a), s), crate::types::Decimal::new(i128::from(b), t));
        let wanted = (i128::from(a) * 10_i128.pow(u32::from(t))).cmp(&(i128::from(b) * 10_i128.pow(u32::from(s))));
        prop_assert_eq!(left.sortable().cmp(&right.sortable()), wanted);
    }
}

/// The order of uniqueidentifiers: the last group weighs most, then backwards.
#[test]
fn guids_keep_the_order_of_sql_server() {
    let texts = [
        "01000000-0000-0000-0000-000000000000",
        "00000000-0100-0000-0000-000000000000",
        "00000000-0000-0100-0000-000000000000",
        "00000000-0000-0000-0100-000000000000",
        "00000000-0000-0000-0000-000000000001",
        "00000000-0000-0000-0000-010000000000",
    ];
    let forms: Vec<_> = texts
        .iter()
        .map(|text| {
            let guid = Value::Guid(crate::types::show::parse_guid(text).unwrap());
            match crate::engine::form::to_sqlite(&guid).unwrap() {
                rusqlite::types::ToSqlOutput::Owned(rusqlite::types::Value::Blob(bytes)) => bytes,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert!(forms.is_sorted(), "{forms:?}");
}
