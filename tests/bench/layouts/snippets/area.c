#include <stdio.h>

/* area of a circle */
static double area(double r)
{
    return 3.14159265 * r * r;
}

int main(void)
{
    for (int i = 1; i <= 5; i++)
        printf("%d %.2f\n", i, area(i));
    return 0;
}
