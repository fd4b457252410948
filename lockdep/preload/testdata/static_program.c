/* Linked statically: there is nothing to interpose. */
int main(void) { return 0; }
