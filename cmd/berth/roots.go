package main

// The image of Berth holds nothing but the executable. Where the system has no
// certificate authorities, those of this package are trusted.
import _ "golang.org/x/crypto/x509roots/fallback"
