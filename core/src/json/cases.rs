//! For tests only: texts that are JSON and texts that are not.

/// Values that may follow `{"a":`.
#[rustfmt::skip]
pub(super) const VALUES: &[&str] = &[
    "null", "true", "false", "0", "-0", "1", "-1.5", "1e5", "1E-5", "0.0e+00",
    "123456789.987654321", "1e99999", "\"\"", "\"a\"", "\" \"", "\"\u{7f}\"", "\"ü\"",
    "\"\u{800}\u{ffff}\u{fffe}\"", "\"😀\u{10ffff}\"", "\"\u{feff}\"", "\"\u{2028}\"",
    r#""\"\\\/\b\f\n\r\t""#, r#""\u0000""#, r#""\u00E9\u00e9""#, r#""\ud83d\uDE00""#,
    r#""\uffff""#, r#""\\u12""#, r#""/""#, r#""\"""#, r#""\\""#, r#""12345678""#,
    r#""1234567\n""#, r#""12345678\n""#, "\"1234567ü\"", "{}", "[]", "[ ]", "{ }", "[[]]", "[{}]",
    "{\"a\":{}}", "[1,\"a\",null,true,false,[],{}]", "[[],[],[[]]]", r#"{"a":1,"a":2}"#,
    "[ 1 , 2 ]", "{ \"\" : [ ] , \"b\" : -0 }", "[\"]\",\"}\"]", "[\"\\\"\"]",
    "[\"\\ud83d\\ude00\"]",
];

/// Values that may not, as bytes because some are not UTF-8.
#[rustfmt::skip]
pub(super) const NO_VALUES: &[&[u8]] = &[
    // Words.
    b"", b"nul", b"nulll", b"Null", b"TRUE", b"tru", b"truefalse", b"undefined", b"NaN",
    b"Infinity", b"a", b"\\n", b"\xff", b"/**/1", b"1//", b"1#", b"\0", b"'a'", b"`a`", b"1 2",
    // Numbers.
    b"-", b"--1", b"+1", b"01", b"-01", b"00", b".5", b"-.5", b"1.", b"1.e1", b"1e", b"1e+",
    b"1E-", b"1e1.5", b"1.2.3", b"0x10", b"1a", b"1_0", b"1e0x1", b"-NaN", b"-Infinity", b"2.e3",
    b"0e", b"1 000", b"1;5", b"- 1", b"1. 5", b"\xef\xbc\x91",
    // Strings.
    b"\"", b"\"a", b"a\"", b"\"\\\"", b"\"\\x41\"", b"\"\\a\"", b"\"\\'\"", b"\"\\0\"",
    b"\"\\u\"", b"\"\\u12\"", b"\"\\u123\"", b"\"\\u123g\"", b"\"\\u+123\"", b"\"\\U0041\"",
    b"\"\\\n\"", b"\"\n\"", b"\"\t\"", b"\"\0\"", b"\"\x1f\"", b"\"12345678\x1f\"",
    b"\"\\ud800\"", b"\"\\udc00\"", b"\"\\ud800\\ud800\"", b"\"\\ud800a\"", b"\"\\ud800\\n\"",
    b"\"\\udc00\\ud800\"", b"\"\\ud83d\xf0\x9f\x98\x80\"", b"\"\\ud800\\u\"", b"\"a\"b\"",
    b"\"\"\"",
    // UTF-8: lone and missing continuations, overlong forms, surrogates, beyond U+10FFFF, and
    // bytes that never occur.
    b"\"\x80\"", b"\"\xbf\"", b"\"\xc3\"", b"\"\xc3(\"", b"\"\xc3\xa9\xa9\"", b"\"\xe2\x82\"",
    b"\"\xe2(\xa1\"", b"\"\xe2\x82(\"", b"\"\xf0\x9f\x98\"", b"\"\xf0\x9f\x98(\"",
    b"\"\xc0\x80\"", b"\"\xc0\xaf\"", b"\"\xc1\xbf\"", b"\"\xe0\x80\xaf\"", b"\"\xe0\x9f\xbf\"",
    b"\"\xf0\x80\x80\xaf\"", b"\"\xf0\x8f\xbf\xbf\"", b"\"\xed\xa0\x80\"", b"\"\xed\xbf\xbf\"",
    b"\"\xed\xa0\xbd\xed\xb8\x80\"", b"\"\xf4\x90\x80\x80\"", b"\"\xf5\x80\x80\x80\"",
    b"\"\xf8\x88\x80\x80\x80\"", b"\"\xfe\"", b"\"\xff\"", b"\"1234567\xff\"",
    // Brackets.
    b"[", b"]", b"{", b"}}", b"[1", b"[1,", b"[1,]", b"[,]", b"[,1]", b"[1,,2]", b"[1 2]",
    b"[1:2]", b"[1}", b"{]", b"[\"a\":1]", b"{1}", b"{1:2}", b"{a:1}", b"{'a':1}", b"{\"a\"}",
    b"{\"a\":}", b"{\"a\" 1}", b"{\"a\":1,}", b"{,}", b"{\"a\":1,,\"b\":2}", b"{\"a\":1 \"b\":2}",
    b"{\"a\"::1}", b"{\"a\":1:2}", b"{\"a\",1}", b"{[]:1}", b"{null:1}", b"[[]", b"[]]", b"[{]}",
    b"[01]", b"[\"\\x\"]", b"[\"\xff\"]", b"[tru]", b"{\"\\x\":1}", b"[\x0c]", b"[]\0",
];

/// Whole texts that are objects.
#[rustfmt::skip]
pub(super) const OBJECTS: &[&str] = &[
    "{}", "{ }", " {} ", "\t\r\n{\t\r\n}\t\r\n", r#"{"":0}"#, r#"{"a":1,"b":2}"#,
    r#"{"a":1,"a":2}"#, r#"{ "a" : 1 , "b" : "x" }"#, "\n{\n\"a\"\n:\n1\n,\n\"b\"\n:\n[]\n}\n",
    r#"{"userId":"user_74999","value":999.5}"#, r#"{"value":1,"\u0075serId":"\ud83d\ude00"}"#,
    r#"{"\"":1,"\\":2,"語":3}"#,
];

/// Whole texts that are not.
#[rustfmt::skip]
pub(super) const NO_OBJECTS: &[&[u8]] = &[
    b"", b" ", b"1", b"null", b"\"a\"", b"[]", b"[{}]", b"}", b"{", b"{ ", b"\xef\xbb\xbf{}",
    b"\xff\xfe{\0}\0", b"{}{}", b"{}}", b"{}]", b"{},", b"{}x", b"{}\0", b"{}//",
    b"{}\xef\xbb\xbf", b"{}\x0b", b"{\x0c}", b"{\xc2\xa0}", b"{,}", b"{\"a\":1,}", b"{,\"a\":1}",
    b"{\"a\":1,,\"b\":2}", b"{\"a\":1 \"b\":2}", b"{\"a\":1;\"b\":2}", b"{\"a\"}", b"{\"a\":}",
    b"{\"a\"=1}", b"{\"a\" 1}", b"{a:1}", b"{'a':1}", b"{1:1}", b"{null:1}", b"{\"a:1}",
    b"{\"a\xff\":1}", b"{\"\\ud800\":1}", b"{\"a\n\":1}", b"{\"a\":1]", b"{\"a\"::1}",
    b"{\"a\":1:2}", b"{\"a\",1}", b"(\"a\":1)", b"{{}}", b"{[]}", b"/**/{}", b"{/**/}", b"\0{}",
];
