package wire

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// saltSize is how much of the salt the password plugins use.
const saltSize = 20

// ScrambleNative is the proof of mysql_native_password (Native Authentication page):
// SHA1(password) XOR SHA1(salt + SHA1(SHA1(password))). The empty password gives no bytes.
func ScrambleNative(password, salt []byte) []byte {
	if len(password) == 0 {
		return nil
	}
	once := sha1.Sum(password)
	twice := sha1.Sum(once[:])
	h := sha1.New()
	h.Write(salt[:min(len(salt), saltSize)])
	h.Write(twice[:])
	proof := h.Sum(nil)
	for i := range proof {
		proof[i] ^= once[i]
	}
	return proof
}

// ScrambleSHA2 is the proof of caching_sha2_password's fast path (Caching SHA-2 page):
// SHA256(password) XOR SHA256(SHA256(SHA256(password)) + salt).
func ScrambleSHA2(password, salt []byte) []byte {
	if len(password) == 0 {
		return nil
	}
	once := sha256.Sum256(password)
	twice := sha256.Sum256(once[:])
	h := sha256.New()
	h.Write(twice[:])
	h.Write(salt[:min(len(salt), saltSize)])
	proof := h.Sum(nil)
	for i := range proof {
		proof[i] ^= once[i]
	}
	return proof
}

// EncryptPassword is the client's part of the RSA exchange of caching_sha2_password and
// sha256_password: the password with its closing zero, XORed with the salt's first 20 bytes,
// encrypted for the key in publicKey (PEM) with OAEP over SHA-1. It leaves password as it is.
func EncryptPassword(password, salt, publicKey []byte) ([]byte, error) {
	block, _ := pem.Decode(publicKey)
	if block == nil {
		return nil, errors.New("read the public key: no PEM block")
	}
	key, err := parsePublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	masked, err := maskPassword(password, salt)
	if err != nil {
		return nil, err
	}
	defer clear(masked)
	encrypted, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, masked, nil)
	if err != nil {
		return nil, fmt.Errorf("encrypt the password: %w", err)
	}
	return encrypted, nil
}

func parsePublicKey(der []byte) (*rsa.PublicKey, error) {
	if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return key, nil
	}
	any, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("read the public key: %w", err)
	}
	key, ok := any.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("read the public key: a %T is no RSA key", any)
	}
	return key, nil
}

// DecryptPassword is the server's part of the same exchange. The result ends with the closing
// zero; the caller clears it. An error does not tell why the bytes were no password.
func DecryptPassword(encrypted, salt []byte, key *rsa.PrivateKey) ([]byte, error) {
	notOurs := errors.New("decrypt the password: not encrypted for this key")
	if len(encrypted) != key.Size() { // servers take no other length, and Go takes a shorter one for the same number
		return nil, notOurs
	}
	masked, err := rsa.DecryptOAEP(sha1.New(), nil, key, encrypted, nil)
	if err != nil {
		return nil, notOurs
	}
	defer clear(masked)
	password, err := maskPassword(masked, salt)
	if err != nil {
		return nil, err
	}
	if n := len(password); n == 0 || password[n-1] != 0 {
		clear(password)
		return nil, errors.New("decrypt the password: encrypted with another salt")
	}
	return password, nil
}

// maskPassword XORs a copy of the password with the salt, over and over.
func maskPassword(password, salt []byte) ([]byte, error) {
	salt = salt[:min(len(salt), saltSize)]
	if len(salt) == 0 {
		return nil, errors.New("mask the password: the salt is empty")
	}
	masked := make([]byte, len(password))
	for i := range password {
		masked[i] = password[i] ^ salt[i%len(salt)]
	}
	return masked, nil
}
