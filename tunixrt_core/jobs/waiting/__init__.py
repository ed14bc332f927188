"""Jobs that wait longer than their server: left by a dead one, or shared by several."""
