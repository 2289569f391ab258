// A plain upload handler: multipart field "photo" in, JPEG at quality 80 out. Standard library only.
package main

import (
	"image"
	"image/jpeg"
	"net/http"
	"os"
)

func upload(w http.ResponseWriter, r *http.Request) {
	file, _, err := r.FormFile("photo")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer file.Close()
	picture, _, err := image.Decode(file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	_ = jpeg.Encode(w, picture, &jpeg.Options{Quality: 80})
}

func main() {
	http.HandleFunc("/upload", upload)
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], nil); err != nil {
		panic(err)
	}
}
