"""What files say of themselves: title, artist, album, genres and the like."""
